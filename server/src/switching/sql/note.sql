update lockstep_policies set definition = :definition where resource = :resource
